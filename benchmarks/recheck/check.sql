-- A second opinion on an epoch in SQL alone, from rewards/ruleset/v1.md and the published Parquet files. It shares no
-- code with the program. Each row it gives is a contradiction.
WITH slots AS (
  SELECT h3, slot, min(need) AS need, min(rank_weight) AS rank_weight, min(best) AS best, min(slot_weight) AS slot_weight,
    min(cell_weight) AS cell_weight, min(cell_amount) AS cell_amount, min(rate) AS rate, min(total) AS total,
    sum(score) AS scores, sum(amount) AS paid, max(rate) - min(rate) + max(total) - min(total) + max(cell_amount) - min(cell_amount) AS disagreement
  FROM statement GROUP BY h3, slot),
cells AS (
  SELECT h3, min(cell_weight) AS weight, min(cell_amount) AS amount, sum(slot_weight) AS slot_weights, sum(rate) AS rates FROM slots GROUP BY h3),
pool AS (SELECT sum(amount)::HUGEINT AS spent, sum(weight)::HUGEINT AS weight FROM cells),
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
UNION ALL SELECT 'cell ' || h3, 'amount is not its part of the pool, up to one unit' FROM cells, pool WHERE pool.weight > 0 AND amount NOT BETWEEN spent * cells.weight // pool.weight AND spent * cells.weight // pool.weight + 1
UNION ALL SELECT 'cell ' || coalesce(c.h3, s.h3), 'frames of the statement are not the contributions' FROM (SELECT h3, count(*) AS n FROM contributions GROUP BY h3) c
  FULL JOIN (SELECT h3, sum(frames + excluded) AS n FROM statement GROUP BY h3) s ON s.h3 = c.h3 WHERE c.n IS DISTINCT FROM s.n
UNION ALL SELECT 'contributor ' || b.contributor, 'allocation is not the sum of its lines and hits' FROM booked b LEFT JOIN lines l ON l.contributor = b.contributor LEFT JOIN fills f ON f.contributor = b.contributor
  WHERE b.coverage <> coalesce(l.coverage, 0) OR b.demand <> coalesce(l.demand, 0) OR b.bursts <> coalesce(f.bursts, 0)
    OR b.held <> coalesce(l.held, 0) + coalesce(f.held, 0) OR b.amount <> b.coverage + b.demand + b.bursts + b.qa - b.held
UNION ALL SELECT 'contributor ' || l.contributor, 'earned but has no allocation' FROM lines l WHERE NOT EXISTS (SELECT 1 FROM booked b WHERE b.contributor = l.contributor)
UNION ALL SELECT 'account ' || a.contributor || ' ' || a.address, 'cumulative is not the sum of its parts' FROM allocations a WHERE a.cumulative <> a.before + a.amount + a.corrected + a.moved OR a.cumulative < a.before + least(a.moved, 0)
UNION ALL SELECT 'account ' || x.contributor, 'begins with another amount than the accounts say' FROM (SELECT contributor, sum(before) AS n FROM allocations GROUP BY contributor) x
  FULL JOIN (SELECT contributor, sum(before) AS n FROM accounts GROUP BY contributor) y ON y.contributor = x.contributor WHERE x.n IS DISTINCT FROM y.n
UNION ALL SELECT 'accounts', 'what is moved does not sum to zero' FROM allocations HAVING sum(moved) <> 0
ORDER BY 1, 2
