"""Many different jobs with one loaded model, a line of JSON in and out for each: `run_batch`.

jobs  the keys of a job, and a line, read into a request
plan  a job, with all that its model decides: `plan_batch`
run   the jobs, generated, saved and answered: `run_batch`
"""

from __future__ import annotations

from sheepgen.batch.plan import JobAnswered, plan_batch
from sheepgen.batch.run import run_batch

__all__ = ["JobAnswered", "plan_batch", "run_batch"]
