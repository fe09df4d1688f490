"""Directories at the HTTP edge, one per product, that follow its documentation: shapes, paging, limits, faults."""
