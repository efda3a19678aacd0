"""The day that samples are drawn by: one for a run and its workers, also over midnight."""

import os
import time

# To draw the samples of another day again, say it: ROWLIFT_TEST_DAY=20261123 make test
TODAY = int(os.environ.setdefault("ROWLIFT_TEST_DAY", time.strftime("%Y%m%d", time.gmtime())))
