-- Ready queries for the dataset that the Worker writes to (binding METRICS). Each begins with `-- name:` and is one panel of
-- deploy/grafana-dashboard.json. Columns: docs/logs.md. Run one with
--   curl "https://api.cloudflare.com/client/v4/accounts/$ACCOUNT_ID/analytics_engine/sql" -H "Authorization: Bearer $TOKEN" -d "$QUERY"
-- $timeFilter and $interval (seconds) are macros of the Altinity plugin for Grafana, which Cloudflare recommends; by hand, write e.g.
-- timestamp > NOW() - INTERVAL '1' DAY, and 300.

-- name: Uploads by what became of them
SELECT intDiv(toUInt32(timestamp), $interval) * $interval AS t, blob1 AS event, SUM(_sample_interval) AS uploads
FROM quayside_metrics
WHERE blob1 IN ('created', 'completed', 'failed', 'aborted', 'expired') AND $timeFilter
GROUP BY t, event ORDER BY t;

-- name: Bytes completed
SELECT intDiv(toUInt32(timestamp), $interval) * $interval AS t, SUM(_sample_interval * double1) AS bytes
FROM quayside_metrics WHERE blob1 = 'completed' AND $timeFilter
GROUP BY t ORDER BY t;

-- name: Abandoned uploads and the bytes they had
SELECT intDiv(toUInt32(timestamp), $interval) * $interval AS t, SUM(_sample_interval) AS uploads, SUM(_sample_interval * double1) AS bytes
FROM quayside_metrics WHERE blob1 = 'expired' AND $timeFilter
GROUP BY t ORDER BY t;

-- name: Chunk latency, in milliseconds
SELECT intDiv(toUInt32(timestamp), $interval) * $interval AS t,
  quantileExactWeighted(0.5)(double2, _sample_interval) AS p50,
  quantileExactWeighted(0.95)(double2, _sample_interval) AS p95,
  quantileExactWeighted(0.99)(double2, _sample_interval) AS p99
FROM quayside_metrics WHERE blob1 = 'chunk_committed' AND $timeFilter
GROUP BY t ORDER BY t;

-- name: Bytes per second of a chunk
SELECT intDiv(toUInt32(timestamp), $interval) * $interval AS t, SUM(_sample_interval * double1) * 1000 / SUM(_sample_interval * double2) AS bytes_per_second
FROM quayside_metrics WHERE blob1 = 'chunk_committed' AND double2 > 0 AND $timeFilter
GROUP BY t ORDER BY t;

-- name: Refusals by type
SELECT intDiv(toUInt32(timestamp), $interval) * $interval AS t, blob2 AS code, SUM(_sample_interval) AS refusals
FROM quayside_metrics WHERE blob1 = 'refused' AND $timeFilter
GROUP BY t, code ORDER BY t;

-- name: Checksum mismatches
SELECT intDiv(toUInt32(timestamp), $interval) * $interval AS t, SUM(_sample_interval) AS mismatches
FROM quayside_metrics WHERE blob1 = 'refused' AND blob2 IN ('checksum-mismatch', 'digest-mismatch') AND $timeFilter
GROUP BY t ORDER BY t;

-- name: Retries: chunks that broke, by why
SELECT intDiv(toUInt32(timestamp), $interval) * $interval AS t, blob2 AS code, SUM(_sample_interval) AS chunks
FROM quayside_metrics WHERE blob1 = 'chunk_broken' AND $timeFilter
GROUP BY t, code ORDER BY t;

-- name: Delivery attempts
SELECT intDiv(toUInt32(timestamp), $interval) * $interval AS t, blob1 AS event, SUM(_sample_interval) AS attempts
FROM quayside_metrics WHERE blob1 IN ('delivered', 'not_delivered', 'delivery_failed', 'dead_letter') AND $timeFilter
GROUP BY t, event ORDER BY t;

-- name: Age of an event when the origin took it, in milliseconds
SELECT intDiv(toUInt32(timestamp), $interval) * $interval AS t,
  quantileExactWeighted(0.5)(double5, _sample_interval) AS p50,
  quantileExactWeighted(0.95)(double5, _sample_interval) AS p95,
  MAX(double4) AS most_attempts
FROM quayside_metrics WHERE blob1 = 'delivered' AND $timeFilter
GROUP BY t ORDER BY t;

-- name: Faults
SELECT intDiv(toUInt32(timestamp), $interval) * $interval AS t, blob1 AS event, SUM(_sample_interval) AS faults
FROM quayside_metrics
WHERE blob1 IN ('fault', 'errand_fault', 'errand_not_queued', 'unreadable_message', 'assembly_postponed') AND $timeFilter
GROUP BY t, event ORDER BY t;

-- name: Cost of writing, in US dollars: parts and completions at R2's class A price, and the rows of a chunk
SELECT intDiv(toUInt32(timestamp), $interval) * $interval AS t,
  SUM(_sample_interval * IF(blob1 = 'chunk_committed', CEIL(double1 / 8388608), 2)) * 0.0000045 AS r2_class_a,
  SUM(_sample_interval * IF(blob1 = 'chunk_committed', 2, 8)) * 0.000001 AS rows_written
FROM quayside_metrics WHERE blob1 IN ('chunk_committed', 'completed') AND $timeFilter
GROUP BY t ORDER BY t;
