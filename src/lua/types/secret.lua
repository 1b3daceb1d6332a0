---@meta mpms.secret

---Variables of the environment that nobody gets to see.
---
---Name them in the manifest, `secrets = ["API_TOKEN"]`: then no run begins without them. The value of a secret that is
---named there, or was fetched, shows as `***` wherever a run says something: lines, printed text, errors, tracebacks, what
---commands write, events, metrics, `runs show`, the joblog, and in what `mpms test` tells; as it is, or as JSON, base64,
---hexadecimal or percent-encoded. Fetched ones are hidden from the first `secret.get` on, named ones always. Arguments,
---results, rows, `meta` and files that a script writes are data, and are not changed; nor is what a script of `mpms lua`
---prints.
---@class mpms.secret
local secret = {}

---The secret in a variable. Raises `not_found` when it is not set or empty, `invalid` when it has fewer than 4 bytes and
---so cannot be hidden.
---
---```lua
---local token = secret.get "API_TOKEN"
---http.get(url, { auth = { bearer = token:reveal() } })
---```
---@nodiscard
---@param name string
---@return secret.Secret
function secret.get(name) end

---A value that shows as `***`. It can be compared with another secret, but not joined to a text, encoded, put or returned.
---@class secret.Secret
local Secret = {}

---The value itself.
---@nodiscard
---@return string
function Secret:reveal() end

return secret
