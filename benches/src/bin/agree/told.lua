-- What wrk counted: requests, microseconds, errors; then each latency that
-- occurred, in microseconds, and how often.
function done(summary, latency, _)
   local errors = summary.errors
   local all = errors.connect + errors.read + errors.write + errors.status + errors.timeout
   io.write(string.format("counted %d %d %d\n", summary.requests, summary.duration, all))
   for n = 1, #latency do
      local value, count = latency(n)
      io.write(string.format("latency %d %d\n", value, count))
   end
end
