"""Fitted spark.ml pipelines as plain JSON, and what scores by them with Python and NumPy alone: no session, no JVM, no pickle.

`export` reads the fitted stages by their Python API, `verify` compares with Spark, `Scorer` scores. Only the first two need PySpark.
"""
