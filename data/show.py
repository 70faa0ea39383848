"""A first look at a mart: what a data scientist would ask of it."""

from __future__ import annotations

import sys

import duckdb

QUERY = """
SELECT o.code_display AS laboratory, p.gender, count(*) AS results,
       round(avg(o.value_number), 2) AS mean, any_value(o.value_unit) AS unit
FROM observation o JOIN patient p ON p.source = o.source AND p.id = o.patient_id
WHERE o.category = 'laboratory' AND o.value_number IS NOT NULL AND o.value_comparator IS NULL
GROUP BY o.code_display, p.gender, o.value_unit
ORDER BY results DESC, laboratory, gender LIMIT 8
"""

if __name__ == "__main__":
    print(duckdb.connect(sys.argv[1], read_only=True).sql(QUERY))
