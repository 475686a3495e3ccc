"""Any two versions of a model, or sets of rules, over the past: which decisions flip, of what money, and why."""
