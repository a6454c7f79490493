"""A model behind HTTP: a Flask application under gunicorn that scores without Spark where the pipeline could be exported."""
