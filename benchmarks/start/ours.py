"""The same word count on a session of `sparkkit.session`, without the road: what the start alone costs."""
import os
import sys

from sparkkit import session

profile = os.environ.get("SPARKKIT_PROFILE", "default")
session.launch(app_name="word_count", profile=profile)
spark = session.start(app_name="word_count", profile=profile)

from pyspark.sql import functions as F  # noqa: E402

words = spark.read.text(sys.argv[1]).select(F.explode(F.split("value", r"\s+")).alias("word")).where("word <> ''")
words.groupBy("word").count().write.mode("overwrite").parquet(sys.argv[2])
session.stop(spark)
