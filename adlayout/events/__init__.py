"""What happens to a page, signed, written down and judged: tokens, records, the spool, beacons and the page script."""
