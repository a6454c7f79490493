"""The word count as anyone would write it in plain PySpark, with stock settings: what our start is measured against."""
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

spark = SparkSession.builder.appName("word_count").getOrCreate()
words = spark.read.text(sys.argv[1]).select(F.explode(F.split("value", r"\s+")).alias("word")).where("word <> ''")
words.groupBy("word").count().write.mode("overwrite").parquet(sys.argv[2])
spark.stop()
