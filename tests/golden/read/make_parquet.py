#!/usr/bin/env python3
"""mixed.parquet and nested.parquet: small files with a column of each kind.  Made with pyarrow 26.0.1."""
import datetime as dt
import decimal
import os

import pyarrow as pa
import pyarrow.parquet as pq

here = os.path.dirname(os.path.abspath(__file__))
utc = dt.timezone.utc
table = pa.table({
    "int": pa.array([1, None, -3, 16777217], pa.int64()),
    "small": pa.array([255, 0, 7, None], pa.uint8()),
    "float": pa.array([0.1, None, float("nan"), 1e30], pa.float32()),
    "double": pa.array([0.1, 2.5, None, -1e300], pa.float64()),
    "dec": pa.array([decimal.Decimal("12.34"), None, decimal.Decimal("-0.01"), decimal.Decimal("0")], pa.decimal128(10, 2)),
    "bool": pa.array([True, False, None, True]),
    "text \"q\"": pa.array(["a", "longer than twelve bytes", None, ""]),
    "cat": pa.array(["x", "y", "x", None]).dictionary_encode(),
    "date": pa.array([dt.date(2020, 2, 29), None, dt.date(1969, 12, 31), dt.date(1970, 1, 1)]),
    "time_ms": pa.array([dt.datetime(2020, 2, 29, 12, 30, 0, 5000), None, None, dt.datetime(1970, 1, 1)], pa.timestamp("ms")),
    "time_tz": pa.array([dt.datetime(2020, 2, 29, 12, tzinfo=utc), None, None, dt.datetime(1970, 1, 1, tzinfo=utc)],
                        pa.timestamp("us", tz="Europe/Berlin")),
    "none": pa.nulls(4),
})
pq.write_table(table, os.path.join(here, "mixed.parquet"), row_group_size=3, compression="snappy", store_schema=False)
nested = pa.table({"x": [1, 2], "tags": [["a"], ["b", "c"]]})
pq.write_table(nested, os.path.join(here, "nested.parquet"), compression="none", store_schema=False)
