print(require "greeting" "you")
