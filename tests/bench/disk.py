"""What the tables take on disk, with their indexes."""

from typing import Any

from django.db import connection

_POSTGRES = """
SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class
WHERE relkind = 'r' AND relname LIKE 'environments_%'
"""
#: An index belongs to its table; `dbstat` counts the pages of each.
_SQLITE = """
SELECT schema.tbl_name, sum(CASE WHEN schema.type = 'table' THEN pages.bytes ELSE 0 END),
  sum(CASE WHEN schema.type = 'index' THEN pages.bytes ELSE 0 END)
FROM (SELECT name, sum(pgsize) AS bytes FROM dbstat GROUP BY name) AS pages
JOIN sqlite_master AS schema ON schema.name = pages.name
WHERE schema.tbl_name LIKE 'environments_%' GROUP BY schema.tbl_name
"""


def sizes() -> dict[str, Any]:
    """Bytes of the whole database, and of each of the product's tables and their indexes, largest first."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_database_size(current_database())")
            total = cursor.fetchone()[0]
            tables = _rows(cursor, _POSTGRES)
        else:
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
            total = cursor.fetchone()[0]
            tables = _rows(cursor, _SQLITE) if _has_dbstat(cursor) else []
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {table['table']}")
            table["rows"] = cursor.fetchone()[0]
    return {"database": total, "tables": tables}


def _rows(cursor: Any, sql: str) -> list[dict[str, Any]]:
    cursor.execute(sql)
    found = [{"table": row[0], "bytes": row[1], "index_bytes": row[2]} for row in cursor.fetchall()]
    return sorted(found, key=lambda row: -(row["bytes"] + row["index_bytes"]))


def _has_dbstat(cursor: Any) -> bool:
    cursor.execute("SELECT count(*) FROM pragma_compile_options WHERE compile_options = 'ENABLE_DBSTAT_VTAB'")
    return bool(cursor.fetchone()[0])
