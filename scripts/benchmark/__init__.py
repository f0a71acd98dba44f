"""The measurements behind scripts/bench: workfs beside what people would use instead, in one run."""
