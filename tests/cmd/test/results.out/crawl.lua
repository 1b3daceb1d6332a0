local http = require "mpms.http"

return {
  tasks = function(put)
    for no = 1, job.params.count do put("https://shop.example/" .. no) end
  end,
  worker = function(url)
    local reply = http.get(url, { allow = { 404 } })
    if reply.status == 404 then
      return { status = 404, retried = false }
    end
    task.put(url .. "/next")
    return { title = reply:html():css("h1::text"):get(), links = #reply:html():links() }
  end,
}
