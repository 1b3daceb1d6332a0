io.write("hello ", ..., "\n")

mpms.fs.read("no/such")
