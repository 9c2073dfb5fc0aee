"""The JSON and CSV files under OUTPUT_DIR (SPEC section 8): names and shapes of the earlier tool, written whole."""
