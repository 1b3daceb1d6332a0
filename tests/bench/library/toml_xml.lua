-- The same documents as toml_xml.py makes.
local function best(name, work)
  local least = math.huge
  for _ = 1, 5 do
    collectgarbage()
    local start = mpms.time.mono()
    work()
    least = math.min(least, mpms.time.mono() - start)
  end
  print(("%s %.6f"):format(name, least))
end

local parts = {}
for i = 1, 5000 do
  parts[i] = ('[[item]]\nid = %d\nname = "item %d"\nprice = %d.5\nday = 2026-11-22\nsizes = [1, 2, 3]\n'):format(i, i, i)
end
local text = table.concat(parts, "\n")
best("toml decode", function() mpms.toml.decode(text) end)

parts = { "<list>" }
for i = 1, 20000 do
  parts[#parts + 1] = ('<item id="%d"><name>item &amp; %d</name><price>%d.5</price></item>'):format(i, i, i)
end
parts[#parts + 1] = "</list>"
local document = table.concat(parts, "\n")
mpms.fs.write("list.xml", document)
best("xml decode", function() mpms.xml.decode(document) end)
best("xml events", function()
  local count = 0
  for e in mpms.xml.events "list.xml" do
    if e.event == "start" then count = count + 1 end
  end
  assert(count == 60001)
end)
