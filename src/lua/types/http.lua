---@meta mpms.http

---Requests over connections that the thread keeps, and a small server for tests.
---
---A status from 400 on raises `http_status`, with `e.status`. Other codes: `timeout`, `dns`, `connect`, `tls`, `protocol`
---(the reply is no HTTP, or cannot be unpacked), `too_large`, `redirect`, `robots`, `checksum`, `parse`, `invalid`.
---@class mpms.http
local http = {}

---@class http.Retries
---@field count integer   tries after the first
---@field delay? duration   before the second; default 1 s
---@field max_delay? duration   a `Retry-After` beyond it raises; default 1 min
---@field backoff? "exponential"|"fixed"   default exponential
---@field jitter? boolean   default true
---@field on? (integer|string)[]   statuses and codes: `{ 429, "timeout" }`; without it, what passes

---@class http.Auth
---@field [1]? string   the user
---@field [2]? string   the password
---@field user? string
---@field pass? string
---@field bearer? string   a token

---@class http.Part
---@field name string   of the field
---@field data? string
---@field path? string   a file, instead of `data`
---@field filename? string
---@field type? string   of the contents

---One value, or several of the same name.
---@alias http.HeaderValue string|number|(string|number)[]

---Everything about one request. A client takes the same as defaults.
---@class http.Options
---@field headers? table<string, http.HeaderValue>
---@field query? table<string, any>   added to the address
---@field cookies? table<string, string>   sent with this request
---@field auth? http.Auth   `{ user, password }` or `{ bearer = token }`; no redirect tells it to another host
---@field timeout? duration   of an attempt; default 30 s, none for streams and downloads
---@field connect_timeout? duration   default 10 s
---@field read_timeout? duration   between two signs of life; default 30 s
---@field retries? integer|http.Retries   default 0; `Retry-After` is kept to the letter
---@field allow? integer[]   statuses that do not raise
---@field raise? boolean   false: no status raises
---@field redirects? integer|false   most of them; default 10
---@field max_size? size   of a body, unpacked; default 256 MiB, none for streams and downloads
---@field decompress? boolean   gzip, brotli, zstd and deflate are unpacked; default true

---The same with a body; one of the four.
---@class http.RequestOptions: http.Options
---@field body? string|http.BodyFile|file*|fun(): string?   an iterator is sent with its length, from a file when it is large
---@field json? any   a value, sent as JSON
---@field form? table<string, any>   sent as a form
---@field multipart? http.Part[]

---@class http.BodyFile
---@field path string

---Fetches an address.
---
---```lua
---local page = http.get("https://example.com/", { timeout = "10s", retries = 3 })
---print(page.status, #page.body)
---```
---@async
---@param url string
---@param options? http.RequestOptions
---@return http.Response
function http.get(url, options) end

---The headers of an address alone.
---@async
---@param url string
---@param options? http.RequestOptions
---@return http.Response
function http.head(url, options) end

---POST.
---
---```lua
---http.post("https://example.com/items", { json = { name = "a" } })
---```
---@async
---@param url string
---@param options? http.RequestOptions
---@return http.Response
function http.post(url, options) end

---PUT.
---@async
---@param url string
---@param options? http.RequestOptions
---@return http.Response
function http.put(url, options) end

---PATCH.
---@async
---@param url string
---@param options? http.RequestOptions
---@return http.Response
function http.patch(url, options) end

---DELETE.
---@async
---@param url string
---@param options? http.RequestOptions
---@return http.Response
function http.delete(url, options) end

---OPTIONS.
---@async
---@param url string
---@param options? http.RequestOptions
---@return http.Response
function http.options(url, options) end

---@class http.Request: http.RequestOptions
---@field method? string   default GET
---@field url string

---A request with method and address among its options.
---@async
---@param options http.Request
---@return http.Response
function http.request(options) end

---@class http.Requests: http.Options
---@field [integer] string|http.Request
---@field concurrency? integer   how many run at once; default 8

---The replies of many requests, in their order. Options in the list hold for all.
---
---The first failure raises, and the others are given up; with `raise = false` it stands in its place.
---
---```lua
---local pages = http.all { url1, url2, { url = url3, method = "HEAD" }, concurrency = 4 }
---```
---@async
---@param requests http.Requests
---@return (http.Response|mpms.error)[]
function http.all(requests) end

---@class http.DownloadOptions: http.RequestOptions
---@field sha256? string   that the file must have; else `checksum` is raised
---@field overwrite? boolean   default false: a file that is there raises `exists`
---@field resume? boolean   goes on where an earlier download was cut; default true
---@field progress? true|fun(done: integer, total?: integer)   true: shown as the task's own

---@class http.Download
---@field path string
---@field size integer
---@field sha256 string
---@field etag? string
---@field resumed boolean

---Fetches an address to a file, which appears when it is whole.
---
---```lua
---http.download(url, "data/big.zip", { sha256 = sum, retries = 5 })
---```
---@async
---@param url string
---@param path string
---@param options? http.DownloadOptions
---@return http.Download
function http.download(url, path, options) end

---A reply whose body is read piece by piece.
---
---```lua
---local stream <close> = http.stream(url)
---for line in stream:lines() do put(line) end
---```
---@async
---@nodiscard
---@param url string
---@param options? http.RequestOptions
---@return http.Stream
function http.stream(url, options) end

---@class http.ClientOptions: http.Options
---@field base_url? string   what addresses without a host begin with
---@field user_agent? string
---@field cookies? boolean|string|table<string, string>   true keeps them, a path keeps them in a file, a table is sent each time
---@field proxy? string|false   `"http://…"`, `"socks5h://user:password@…"`; false: none, whatever the environment says
---@field ca? string   a file: the only authority that counts, in PEM
---@field cert? string[]   the own certificate: `{ "cert.pem", "key.pem" }`
---@field insecure? boolean   trusts anyone; default false
---@field http2? boolean   true: nothing else, also without TLS; false: never
---@field max_idle_per_host? integer   connections that are kept
---@field robots? boolean   what robots.txt forbids raises `robots`; default false

---An object with the same functions as methods, connections of its own, and defaults for its requests.
---
---```lua
---local api = http.client { base_url = "https://example.com/v1", auth = { bearer = token } }
---local items = api:get("/items"):json()
---```
---@nodiscard
---@param options? http.ClientOptions
---@return http.Client
function http.client(options) end

---@class http.ServeOptions
---@field host? string   default 127.0.0.1
---@field port? integer   default any that is free

---@class http.Asked
---@field method string
---@field path string
---@field query table<string, string|string[]>
---@field headers table<string, string|string[]>
---@field params table<string, string>   the named parts of the route
---@field body string

---@class http.Answer
---@field status? integer   default 200
---@field headers? table<string, http.HeaderValue>
---@field body? string|table   a table is sent as JSON
---@field file? string   a path, instead of `body`
---@field redirect? string
---@field gzip? boolean
---@field ranges? boolean   whether a part can be asked for; default true for a `file`
---@field delay? duration   before the reply
---@field rate? size   bytes a second
---@field fail? "reset"|"cut"|"hang"
---@field after? size   with `reset` and `cut`: bytes of the body

---@alias http.Reply string|integer|http.Answer

---Answers a request of `http.serve`; nothing is a 404.
---@alias http.Handler fun(request: http.Asked): http.Reply?

---A small server on this machine, in a thread of its own: of a folder, a function, or a table of routes.
---
---Routes are `"/items"`, `"POST /items"`, `"/items/:id"`, `"/files/*"`. What answers is a function of the request, a
---reply, or a list of replies, one after the other. Functions run in a state of their own and get copies of what
---they use.
---
---```lua
---local server <close> = http.serve { ["/items/:id"] = function(request) return { body = { id = request.params.id } } end }
---print(http.get(server.url .. "/items/7").body)
---```
---@param source string|http.Handler|table<string, http.Reply|http.Reply[]|http.Handler>
---@param options? http.ServeOptions
---@return http.Server
function http.serve(source, options) end

---What a request gives.
---@class http.Response
---@field status integer
---@field ok boolean   200 to 299
---@field url string   where it came from, behind all redirects
---@field headers http.Headers
---@field body string   the bytes, unpacked
---@field elapsed number   seconds
---@field version string   `"1.1"`, `"2"`
---@field remote? string   address and port of the other side
local Response = {}

---The value of a body of JSON. Raises `parse`.
---@nodiscard
---@return any
function Response:json() end

---The root element of a page: see `html.parse`.
---@nodiscard
---@param options? html.ParseOptions
---@return html.Node
function Response:html(options) end

---The body as UTF-8, from that charset, the one that the reply tells, or the one that its bytes suggest.
---@nodiscard
---@param charset? string
---@return string
function Response:text(charset) end

---The body to a file: see `fs.write`.
---@param path string
---@param options? fs.WriteOptions
function Response:save(path, options) end

---Itself, or the error of its status, where `raise = false` or `allow` let it pass.
---@return http.Response
function Response:raise() end

---The headers of a reply, by any spelling of their names. One that came more than once is joined by commas.
---@class http.Headers: { [string]: string }
local Headers = {}

---Each value of a header that came more than once.
---@param name string
---@return string[]
function Headers:all(name) end

---What `http.stream` gives: a reply without `body`.
---@class http.Stream
---@field status integer
---@field ok boolean
---@field url string
---@field headers http.Headers
---@field version string
---@field remote? string
local Stream = {}

---The next bytes: as they come, or exactly so many while there are. Nil at the end.
---@async
---@param size? integer
---@return string?
function Stream:read(size) end

---The next line without its end; nil at the end.
---@async
---@return string?
function Stream:line() end

---An iterator over the body, in pieces as they come or of that size.
---@param size? integer
---@return async fun(): string?
function Stream:chunks(size) end

---An iterator over the lines.
---@return async fun(): string?
function Stream:lines() end

---The rest is not wanted.
function Stream:close() end

---What `http.client` gives.
---@class http.Client
local Client = {}

---As `http.get`, with the client's defaults; so are the others.
---@async
---@param url string
---@param options? http.RequestOptions
---@return http.Response
function Client:get(url, options) end

---HEAD.
---@async
---@param url string
---@param options? http.RequestOptions
---@return http.Response
function Client:head(url, options) end

---POST.
---@async
---@param url string
---@param options? http.RequestOptions
---@return http.Response
function Client:post(url, options) end

---PUT.
---@async
---@param url string
---@param options? http.RequestOptions
---@return http.Response
function Client:put(url, options) end

---PATCH.
---@async
---@param url string
---@param options? http.RequestOptions
---@return http.Response
function Client:patch(url, options) end

---DELETE.
---@async
---@param url string
---@param options? http.RequestOptions
---@return http.Response
function Client:delete(url, options) end

---OPTIONS.
---@async
---@param url string
---@param options? http.RequestOptions
---@return http.Response
function Client:options(url, options) end

---As `http.request`.
---@async
---@param options http.Request
---@return http.Response
function Client:request(options) end

---As `http.download`.
---@async
---@param url string
---@param path string
---@param options? http.DownloadOptions
---@return http.Download
function Client:download(url, path, options) end

---As `http.stream`.
---@async
---@nodiscard
---@param url string
---@param options? http.RequestOptions
---@return http.Stream
function Client:stream(url, options) end

---As `http.all`.
---@async
---@param requests http.Requests
---@return (http.Response|mpms.error)[]
function Client:all(requests) end

---@class http.Cookie
---@field name string
---@field value string
---@field domain string
---@field path string
---@field secure boolean
---@field http_only boolean
---@field host_only boolean
---@field expires? integer   seconds since 1970

---The cookies that it keeps.
---@nodiscard
---@return http.Cookie[]
function Client:cookies() end

---Its connections are closed.
function Client:close() end

---What `http.serve` gives. It ends when it is closed, or with the process.
---@class http.Server
---@field url string   without a slash at its end
---@field port integer
local Server = {}

---The port is free again.
function Server:close() end

return http
