"""Tables about units of measure: UCUM's own, and this project's."""
