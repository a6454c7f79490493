"""Word count as a bare PySpark script with stock settings, exact: the script to compare with.

    python benchmarks/word_count/bare.py TEXT OUTPUT
"""
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

spark = SparkSession.builder.appName("word_count").getOrCreate()
words = spark.read.text(sys.argv[1]).select(F.explode(F.split("value", r"\s+")).alias("word"))
words.where("word != ''").groupBy("word").count().write.mode("overwrite").parquet(sys.argv[2])
