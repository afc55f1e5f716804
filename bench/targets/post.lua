-- wrk script: posts the bodies of one file in turn; prints one JSON line at the end.
-- Arguments behind wrk's "--": file, path, and "gzip" for a content-encoding header.
local requests, at = {}, 0

function init(args)
    local file = assert(io.open(args[1], "rb"))
    local headers = {
        ["Host"] = "capture.example.com",
        ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0",
        ["Content-Type"] = "application/json",
        ["Accept"] = "*/*",
        ["Accept-Encoding"] = "gzip, deflate, br",
        ["Origin"] = "https://app.example.com",
        ["X-Forwarded-For"] = "203.0.113.77",
    }
    if args[3] == "gzip" then headers["Content-Encoding"] = "gzip" end
    while true do
        local size = file:read(4)
        if not size then break end
        local a, b, c, d = size:byte(1, 4)
        local body = file:read(((a * 256 + b) * 256 + c) * 256 + d)
        requests[#requests + 1] = wrk.format("POST", args[2], headers, body)
    end
    file:close()
end

function request()
    at = at % #requests + 1
    return requests[at]
end

function done(summary, latency)
    local e = summary.errors
    print(string.format(
        'wrk-json {"requests":%d,"microseconds":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,'
        .. '"p50_us":%d,"p99_us":%d}',
        summary.requests, summary.duration, e.connect, e.read, e.write, e.status, e.timeout,
        latency:percentile(50), latency:percentile(99)))
end
