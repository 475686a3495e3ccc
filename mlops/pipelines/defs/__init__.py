"""What exists, area by area: assets, checks, jobs, schedules, sensors. How they work is in `lib/`."""
