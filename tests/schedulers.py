"""Every kind and form of scheduler, with settings by which short studies stop and pause trials."""

FORMS = {
    "asha": {"kind": "asha", "reduction_factor": 2},
    "promoting": {"kind": "asha", "form": "promoting", "reduction_factor": 2},
    "pasha": {"kind": "pasha"},
    "hyperband": {"kind": "hyperband"},
    "median": {"kind": "median"},
    "pareto_asha": {"kind": "pareto_asha", "reduction_factor": 2},
    "none": {"kind": "none"},
    "pareto": {"kind": "pareto_asha", "form": "promoting", "reduction_factor": 2},
    "pbt": {"kind": "pbt"},
}
"""Name -> section of a study file."""
