"""Units of measure: UCUM read exactly, dirty spellings resolved, quantities harmonised."""
