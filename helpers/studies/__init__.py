"""The long runs of the lessons, one file a subject: `python -m helpers NAME` runs helpers/studies/NAME.py."""
