---@meta mpms.net

---Connections, plain or with TLS, in both directions; datagrams; names.
---
---Lack of time and the end of a connection are `nil, "timeout"` and `nil, "closed"`; everything else raises: `connect`,
---`dns`, `tls`, `timeout` while a connection is made, `busy` for a port that is taken.
---@class mpms.net
local net = {}

---@class net.Options
---@field timeout? duration   of each call that waits; default 30 s
---@field max_size? size   of a line, or of all of it; default 64 MiB

---@class net.ConnectOptions: net.Options
---@field tls? boolean   default false
---@field server_name? string   the name that the certificate must have; default the host
---@field ca? string   a file: the only authority that counts, in PEM
---@field cert? string[]   the own certificate: `{ "cert.pem", "key.pem" }`
---@field insecure? boolean   trusts anyone; default false

---Connects to a host.
---
---```lua
---local socket <close> = net.connect("example.com", 443, { tls = true })
---socket:send("GET / HTTP/1.0\r\nHost: example.com\r\n\r\n")
---print(socket:receive())
---```
---@async
---@nodiscard
---@param host string
---@param port integer
---@param options? net.ConnectOptions
---@return net.Socket
function net.connect(host, port, options) end

---Connects over a socket in the file system.
---@async
---@nodiscard
---@param path string
---@param options? net.Options
---@return net.Socket
function net.unix(path, options) end

---@class net.ListenOptions: net.Options
---@field cert? string[]   makes it one with TLS: `{ "cert.pem", "key.pem" }`

---Waits for others to connect: at a port (0: any that is free), or at `"unix:path"`.
---@async
---@nodiscard
---@param host string
---@param port? integer
---@param options? net.ListenOptions
---@return net.Listener
function net.listen(host, port, options) end

---@class net.UdpOptions: net.Options
---@field host? string   its own address; default any
---@field port? integer   its own port; default any that is free

---A socket for datagrams.
---@async
---@nodiscard
---@param options? net.UdpOptions
---@return net.Udp
function net.udp(options) end

---The addresses of a host, each once. Raises `dns` when it has none.
---@async
---@nodiscard
---@param host string
---@param options? net.Options
---@return string[]
function net.resolve(host, options) end

---A connection. It closes when it leaves the scope of `local socket <close>`.
---@class net.Socket
local Socket = {}

---Sends all of it: the number of bytes; or nil, the reason and how many were sent.
---@async
---@param data string
---@return integer? sent
---@return string? reason
---@return integer? partly
function Socket:send(data) end

---A line without its end (`"*l"`, the default), everything (`"*a"`), or so many bytes; or nil, the reason and what came.
---@async
---@param pattern? "*l"|"*a"|integer
---@return string? data
---@return string? reason
---@return string? partly
function Socket:receive(pattern) end

---An iterator over the lines.
---@return async fun(): string?
function Socket:lines() end

---How long each of the calls that follow may wait; nil: as long as it takes.
---@param duration? duration
function Socket:settimeout(duration) end

---Tells the other side that nothing follows; what it sends can still be received.
---@async
function Socket:shutdown() end

---Closes both directions.
---@async
function Socket:close() end

---Host and port of the other end; nil for a socket in the file system.
---@return string? host
---@return integer? port
function Socket:peer() end

---Host and port of this end.
---@return string? host
---@return integer? port
function Socket:address() end

---What `net.listen` gives.
---@class net.Listener
---@field port? integer
---@field url string   `tcp://host:port` or `unix:path`
local Listener = {}

---The next one who connects; nil and `"timeout"` when nobody came in time. Without a time it waits as long as it takes.
---@async
---@param timeout? duration
---@return net.Socket? socket
---@return "timeout"? reason
function Listener:accept(timeout) end

---Nobody can connect any more.
function Listener:close() end

---What `net.udp` gives.
---@class net.Udp
---@field port integer   its own
local Udp = {}

---Sends one datagram; the number of bytes.
---@async
---@param data string
---@param host string
---@param port integer
---@return integer
function Udp:send(data, host, port) end

---The next datagram, and where it comes from; nil and `"timeout"` when none came in time.
---@async
---@param timeout? duration
---@return string? data
---@return string host   of the sender, or `"timeout"`
---@return integer? port
function Udp:receive(timeout) end

---Nothing is received any more.
function Udp:close() end

return net
