-- Ready queries for the dataset that the Worker writes to (binding METRICS). Each begins with `-- name:` and is one panel of
-- deploy/grafana-dashboard.json. Columns: docs/operations/monitoring.md. Run one with
--   curl "https://api.cloudflare.com/client/v4/accounts/$ACCOUNT_ID/analytics_engine/sql" -H "Authorization: Bearer $TOKEN" -d "$QUERY"
-- $timeFilter and $interval (seconds) are macros of the Altinity plugin for Grafana, which Cloudflare recommends; by hand, write e.g.
-- timestamp > NOW() - INTERVAL '1' DAY, and 300. `t` is in milliseconds since 1970, as that plugin reads a column of numbers. Dollars are at list prices, for a million each: requests to Workers 0.30, to
-- objects 0.15, rows read 0.001 and written 1.00, R2 class A 4.50 and B 0.36, queue operations 0.40; included amounts, processor
-- time and storage are not in them.

-- name: Uploads by what became of them
SELECT intDiv(toUInt32(timestamp), $interval) * $interval * 1000 AS t, blob1 AS event, SUM(_sample_interval) AS uploads
FROM quayside_metrics
WHERE blob1 IN ('created', 'completed', 'failed', 'aborted', 'expired') AND $timeFilter
GROUP BY t, event ORDER BY t;

-- name: Bytes completed
SELECT intDiv(toUInt32(timestamp), $interval) * $interval * 1000 AS t, SUM(_sample_interval * double1) AS bytes
FROM quayside_metrics WHERE blob1 = 'completed' AND $timeFilter
GROUP BY t ORDER BY t;

-- name: Abandoned uploads and the bytes they had
SELECT intDiv(toUInt32(timestamp), $interval) * $interval * 1000 AS t, SUM(_sample_interval) AS uploads, SUM(_sample_interval * double1) AS bytes
FROM quayside_metrics WHERE blob1 = 'expired' AND $timeFilter
GROUP BY t ORDER BY t;

-- name: Chunk latency, in milliseconds
SELECT intDiv(toUInt32(timestamp), $interval) * $interval * 1000 AS t,
  quantileExactWeighted(0.5)(double2, _sample_interval) AS p50,
  quantileExactWeighted(0.95)(double2, _sample_interval) AS p95,
  quantileExactWeighted(0.99)(double2, _sample_interval) AS p99
FROM quayside_metrics WHERE blob1 = 'chunk_committed' AND $timeFilter
GROUP BY t ORDER BY t;

-- name: Bytes per second of a chunk
SELECT intDiv(toUInt32(timestamp), $interval) * $interval * 1000 AS t, SUM(_sample_interval * double1) * 1000 / SUM(_sample_interval * double2) AS bytes_per_second
FROM quayside_metrics WHERE blob1 = 'chunk_committed' AND double2 > 0 AND $timeFilter
GROUP BY t ORDER BY t;

-- name: Refusals by type
SELECT intDiv(toUInt32(timestamp), $interval) * $interval * 1000 AS t, blob2 AS code, SUM(_sample_interval) AS refusals
FROM quayside_metrics WHERE blob1 = 'refused' AND $timeFilter
GROUP BY t, code ORDER BY t;

-- name: Checksum mismatches
SELECT intDiv(toUInt32(timestamp), $interval) * $interval * 1000 AS t, SUM(_sample_interval) AS mismatches
FROM quayside_metrics WHERE blob1 = 'refused' AND blob2 IN ('checksum-mismatch', 'digest-mismatch') AND $timeFilter
GROUP BY t ORDER BY t;

-- name: Retries: chunks that broke, by why
SELECT intDiv(toUInt32(timestamp), $interval) * $interval * 1000 AS t, blob2 AS code, SUM(_sample_interval) AS chunks
FROM quayside_metrics WHERE blob1 = 'chunk_broken' AND $timeFilter
GROUP BY t, code ORDER BY t;

-- name: Delivery attempts
SELECT intDiv(toUInt32(timestamp), $interval) * $interval * 1000 AS t, blob1 AS event, SUM(_sample_interval) AS attempts
FROM quayside_metrics WHERE blob1 IN ('delivered', 'not_delivered', 'delivery_failed', 'dead_letter') AND $timeFilter
GROUP BY t, event ORDER BY t;

-- name: Age of an event when the origin took it, in milliseconds
SELECT intDiv(toUInt32(timestamp), $interval) * $interval * 1000 AS t,
  quantileExactWeighted(0.5)(double5, _sample_interval) AS p50,
  quantileExactWeighted(0.95)(double5, _sample_interval) AS p95,
  MAX(double4) AS most_attempts
FROM quayside_metrics WHERE blob1 = 'delivered' AND $timeFilter
GROUP BY t ORDER BY t;

-- name: Faults
SELECT intDiv(toUInt32(timestamp), $interval) * $interval * 1000 AS t, blob1 AS event, SUM(_sample_interval) AS faults
FROM quayside_metrics
WHERE blob1 IN ('fault', 'message_failed', 'message_not_queued', 'unreadable_message', 'release_failed', 'assembly_postponed', 'alarm_overdue', 'jwks_unavailable', 'accept_failed') AND $timeFilter
GROUP BY t, event ORDER BY t;

-- name: Parts past the Worker: signed and recorded
SELECT intDiv(toUInt32(timestamp), $interval) * $interval * 1000 AS t, blob1 AS event, SUM(_sample_interval * double6) AS parts
FROM quayside_metrics WHERE blob1 IN ('parts_signed', 'parts_recorded') AND $timeFilter
GROUP BY t, event ORDER BY t;

-- name: Bytes that count, through the Worker and past it
SELECT intDiv(toUInt32(timestamp), $interval) * $interval * 1000 AS t, blob1 AS event, SUM(_sample_interval * double1) AS bytes
FROM quayside_metrics WHERE blob1 IN ('chunk_committed', 'parts_recorded') AND $timeFilter
GROUP BY t, event ORDER BY t;

-- name: Cost of ended uploads by what is charged for, in US dollars
SELECT intDiv(toUInt32(timestamp), $interval) * $interval * 1000 AS t,
  SUM(_sample_interval * double7) * 0.3 / 1000000 AS worker_requests,
  SUM(_sample_interval * double8) * 0.15 / 1000000 AS object_requests,
  SUM(_sample_interval * double9) * 0.001 / 1000000 AS rows_read,
  SUM(_sample_interval * double10) / 1000000 AS rows_written,
  SUM(_sample_interval * double11) * 4.5 / 1000000 AS r2_class_a,
  SUM(_sample_interval * double12) * 0.36 / 1000000 AS r2_class_b,
  SUM(_sample_interval * double13) * 0.4 / 1000000 AS queue_operations
FROM quayside_metrics WHERE blob1 IN ('completed', 'failed', 'aborted', 'expired') AND $timeFilter
GROUP BY t ORDER BY t;

-- name: Cost per day, in US dollars, by what became of the uploads
SELECT intDiv(toUInt32(timestamp), 86400) * 86400 AS t, blob1 AS event,
  SUM(_sample_interval * (double7 * 0.3 + double8 * 0.15 + double9 * 0.001 + double10 + double11 * 4.5 + double12 * 0.36 + double13 * 0.4)) / 1000000 AS dollars
FROM quayside_metrics WHERE blob1 IN ('completed', 'failed', 'aborted', 'expired') AND $timeFilter
GROUP BY t, event ORDER BY t;

-- name: Cost per completed GiB, in US dollars
SELECT intDiv(toUInt32(timestamp), $interval) * $interval * 1000 AS t,
  SUM(_sample_interval * (double7 * 0.3 + double8 * 0.15 + double9 * 0.001 + double10 + double11 * 4.5 + double12 * 0.36 + double13 * 0.4)) / 1000000 / (SUM(_sample_interval * double1) / 1073741824) AS dollars_per_gib
FROM quayside_metrics WHERE blob1 = 'completed' AND double1 > 0 AND $timeFilter
GROUP BY t ORDER BY t;
