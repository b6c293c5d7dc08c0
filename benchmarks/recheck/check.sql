-- A second opinion on an epoch in SQL alone, from rewards/ruleset/v1.md and v2.md and the published Parquet files. It shares
-- no code with the program. Each row it gives is a contradiction. Table rules is one row of the numbers of ruleset.json.
WITH slots AS (
  SELECT h3, slot, min(need) AS need, min(rank_weight) AS rank_weight, min(best) AS best, min(slot_weight) AS slot_weight,
    min(cell_weight) AS cell_weight, min(cell_amount) AS cell_amount, min(rate) AS rate, min(total) AS total,
    min(demand_rate) AS demand_rate, min(rank) AS rank, sum(excluded) AS excluded,
    sum(score) AS scores, sum(amount) AS paid, max(demand_rate) - min(demand_rate) + max(rank) - min(rank) + max(need) - min(need) + max(rate) - min(rate) + max(total) - min(total) + max(cell_amount) - min(cell_amount) AS disagreement
  FROM statement GROUP BY h3, slot),
cells AS (
  SELECT h3, min(cell_weight) AS weight, min(cell_amount) AS amount, sum(slot_weight) AS slot_weights, sum(rate) AS rates, sum(excluded) AS excluded, min(need) AS need,
    sum(rank_weight * best // 1000000) AS worth,
    CASE WHEN min(parent) IN (SELECT h3 FROM regions) THEN min(parent) ELSE 0 END AS region
  FROM (SELECT slots.*, -- the ancestor by the bits of the index: resolution lowered, the digits below it set
    CASE WHEN resolution < 0 THEN 0 ELSE (h3 & ~(15::BIGINT << 52)) | (resolution::BIGINT << 52) | ((1::BIGINT << (3 * (15 - resolution))) - 1) END AS parent FROM slots, rules)
  GROUP BY h3),
pool AS (SELECT region, sum(amount)::HUGEINT AS spent, sum(weight)::HUGEINT AS weight FROM cells GROUP BY region),
-- What each region may pay, and the one pool of an epoch without regions.
roads AS (SELECT sum(road)::HUGEINT AS road FROM regions),
progress AS (SELECT h3, road, CASE WHEN road = 0 THEN floor ELSE greatest(floor, least(1000000, covered::HUGEINT * 1000000 // road * 1000000 // full_share)) END AS progress FROM regions, rules),
limits AS (
  SELECT 0::BIGINT AS region, CASE WHEN (SELECT count(*) FROM regions) = 0 OR resolution < 0 THEN coverage ELSE coverage::HUGEINT * outside // 1000000 END AS pool FROM rules
  UNION ALL SELECT h3, CASE WHEN p.road = 0 THEN 0 ELSE (coverage - coverage::HUGEINT * outside // 1000000)::HUGEINT * p.road // roads.road * progress // 1000000 END FROM progress p, roads, rules WHERE resolution >= 0),
-- Of cells where every frame counts, reception and rank follow from the contributions alone.
seen AS (
  SELECT c.h3, epoch_us(c.captured_at) // (slot_seconds * 1000000) AS n, min(epoch_us(c.received_at)) AS received
  FROM contributions c JOIN cells k ON k.h3 = c.h3 AND k.excluded = 0, rules GROUP BY ALL),
ranked AS (SELECT h3, n, row_number() OVER (PARTITION BY h3 ORDER BY received, n) AS rank FROM seen),
needed AS (
  SELECT s.h3, CASE WHEN p.h3 IS NULL THEN 1000000 ELSE least(1000000, greatest(0, min(s.received) - min(epoch_us(p.received_at))) // 1000000 * 1000000 // min(need_seconds)) END AS need
  FROM seen s LEFT JOIN prior p ON p.h3 = s.h3, rules GROUP BY s.h3, p.h3),
bought AS (SELECT s.h3, s.amount - s.amount::HUGEINT * burn // 1000000 AS part FROM spend s, rules),
lines AS (SELECT contributor, sum(amount) AS coverage, sum(demand) AS demand, sum(held) AS held FROM statement GROUP BY contributor),
fills AS (SELECT contributor, sum(amount) AS bursts, sum(held) AS held FROM hits WHERE state = 'filled' GROUP BY contributor),
booked AS (SELECT contributor, sum(coverage) AS coverage, sum(demand) AS demand, sum(bursts) AS bursts, sum(qa) AS qa, sum(held) AS held, sum(amount) AS amount FROM allocations GROUP BY contributor)
SELECT 'slot ' || h3 || ' ' || slot AS place, 'its lines disagree' AS what FROM slots WHERE disagreement <> 0
UNION ALL SELECT 'slot ' || h3 || ' ' || slot, 'total is not the sum of scores' FROM slots WHERE total <> scores
UNION ALL SELECT 'slot ' || h3 || ' ' || slot, 'weight is not need × rank × best' FROM slots WHERE total > 0 AND slot_weight <> need * rank_weight // 1000000 * best // 1000000
UNION ALL SELECT 'slot ' || h3 || ' ' || slot, 'rate is not its part of the cell' FROM slots WHERE cell_weight > 0 AND rate <> cell_amount::HUGEINT * slot_weight // cell_weight
UNION ALL SELECT 'slot ' || h3 || ' ' || slot, 'pays more than its rate' FROM slots WHERE paid > rate
UNION ALL SELECT 'line ' || h3 || ' ' || slot || ' ' || contributor, 'amount is not its part of the rate' FROM statement WHERE total > 0 AND amount <> rate::HUGEINT * score // total
UNION ALL SELECT 'line ' || h3 || ' ' || slot || ' ' || contributor, 'demand is not its part of the demand rate' FROM statement WHERE total > 0 AND demand <> demand_rate::HUGEINT * score // total
UNION ALL SELECT 'line ' || h3 || ' ' || slot || ' ' || contributor, 'earned nothing without a code, or something with one' FROM statement WHERE (amount = 0) <> (code <> '')
UNION ALL SELECT 'cell ' || h3, 'weight is not the sum of its slots' FROM cells WHERE weight <> slot_weights
UNION ALL SELECT 'cell ' || h3, 'amount is not its part of the pool, up to one unit' FROM cells JOIN pool ON pool.region = cells.region WHERE pool.weight > 0 AND amount NOT BETWEEN spent * cells.weight // pool.weight AND spent * cells.weight // pool.weight + 1
UNION ALL SELECT 'cell ' || coalesce(c.h3, s.h3), 'frames of the statement are not the contributions' FROM (SELECT h3, count(*) AS n FROM contributions GROUP BY h3) c
  FULL JOIN (SELECT h3, sum(frames + excluded) AS n FROM statement GROUP BY h3) s ON s.h3 = c.h3 WHERE c.n IS DISTINCT FROM s.n
UNION ALL SELECT 'region ' || l.region, 'what its cells got is neither its pool nor what its weight is worth' FROM limits l JOIN pool ON pool.region = l.region, rules
  WHERE pool.weight > 0 AND pool.spent <> least(l.pool, max_rate::HUGEINT * pool.weight // 1000000)
UNION ALL SELECT 'region ' || r.h3, 'its line is not what the roads give' FROM region_pools r LEFT JOIN limits l ON l.region = r.h3 LEFT JOIN pool ON pool.region = r.h3
  WHERE r.pool IS DISTINCT FROM l.pool OR r.spent <> coalesce(pool.spent, 0) OR r.weight <> coalesce(pool.weight, 0)
UNION ALL SELECT 'slot ' || s.h3 || ' ' || s.slot, 'demand is not its part of what was spent on the cell' FROM slots s JOIN cells c ON c.h3 = s.h3 LEFT JOIN bought b ON b.h3 = s.h3
  WHERE s.total > 0 AND s.demand_rate <> CASE WHEN b.h3 IS NULL OR c.worth = 0 THEN 0 ELSE b.part::HUGEINT * (s.rank_weight * s.best // 1000000) // c.worth END
UNION ALL SELECT 'slot ' || s.h3 || ' ' || s.slot, 'rank is not the order of reception' FROM slots s LEFT JOIN ranked r ON r.h3 = s.h3 AND r.n = epoch_us(s.slot) // ((SELECT slot_seconds FROM rules) * 1000000)
  JOIN cells c ON c.h3 = s.h3 WHERE c.excluded = 0 AND s.rank IS DISTINCT FROM r.rank
UNION ALL SELECT 'cell ' || c.h3, 'need is not what the prior gives' FROM cells c LEFT JOIN needed n ON n.h3 = c.h3 WHERE c.excluded = 0 AND c.need IS DISTINCT FROM n.need
UNION ALL SELECT 'contributor ' || b.contributor, 'allocation is not the sum of its lines and hits' FROM booked b LEFT JOIN lines l ON l.contributor = b.contributor LEFT JOIN fills f ON f.contributor = b.contributor
  WHERE b.coverage <> coalesce(l.coverage, 0) OR b.demand <> coalesce(l.demand, 0) OR b.bursts <> coalesce(f.bursts, 0)
    OR b.held <> coalesce(l.held, 0) + coalesce(f.held, 0) OR b.amount <> b.coverage + b.demand + b.bursts + b.qa - b.held
UNION ALL SELECT 'contributor ' || l.contributor, 'earned but has no allocation' FROM lines l WHERE NOT EXISTS (SELECT 1 FROM booked b WHERE b.contributor = l.contributor)
UNION ALL SELECT 'account ' || a.contributor || ' ' || a.address, 'cumulative is not the sum of its parts' FROM allocations a WHERE a.cumulative <> a.before + a.amount + a.corrected + a.moved OR a.cumulative < a.before + least(a.moved, 0)
UNION ALL SELECT 'account ' || x.contributor, 'begins with another amount than the accounts say' FROM (SELECT contributor, sum(before) AS n FROM allocations GROUP BY contributor) x
  FULL JOIN (SELECT contributor, sum(before) AS n FROM accounts GROUP BY contributor) y ON y.contributor = x.contributor WHERE x.n IS DISTINCT FROM y.n
UNION ALL SELECT 'accounts', 'what is moved does not sum to zero' FROM allocations HAVING sum(moved) <> 0
ORDER BY 1, 2
