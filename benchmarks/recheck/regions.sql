-- For an epoch with regions: each line names the region whose part of the pool paid it, and the lines of a region add up to
-- no more than its cells got.
WITH lines AS (
  SELECT s.h3, s.slot, s.contributor, s.region, s.amount, s.cell_amount,
    (s.h3 & ~(15::BIGINT << 52)) | (resolution::BIGINT << 52) | ((1::BIGINT << (3 * (15 - resolution))) - 1) AS parent
  FROM statement s, rules),
spent AS (SELECT region, sum(cell_amount) AS cells FROM (SELECT DISTINCT h3, region, cell_amount FROM lines) GROUP BY region)
SELECT 'line ' || h3 || ' ' || slot || ' ' || contributor AS place, 'names another region than the one its cell lies in' AS what
  FROM lines WHERE region <> CASE WHEN parent IN (SELECT h3 FROM regions) THEN parent ELSE 0 END
UNION ALL SELECT 'region ' || p.h3, 'the cells of its lines did not get what it spent' FROM region_pools p LEFT JOIN spent s ON s.region = p.h3 WHERE p.spent <> coalesce(s.cells, 0)
ORDER BY 1, 2
