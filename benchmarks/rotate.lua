-- Sends the bodies of a file in turn, one a line, and ends with one line that a program can read.
-- Arguments: the file, and the milliseconds that each connection waits before a request (0 for none).
local requests = {}
local next_one = 0
local pause = 0

function init(args)
  local headers = { ["Content-Type"] = "application/json" }
  for line in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", nil, headers, line)
  end
  pause = tonumber(args[2]) or 0
end

function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end

if os.getenv("WRK_PAUSES") then
  function delay()
    return pause
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'result {"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "max_ms": %f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
