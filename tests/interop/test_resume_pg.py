"""`ckpt resume` on PostgreSQL, judged by the real library: the tests of test_resume.py, values in
blobs. TAP; run with the Python of build/venv inside tests/pg/with-server.sh.
"""
import os
import sys

import psycopg
import test_resume as resume


def main():
    at = "postgresql:///%s?host=%s&port=%s&user=%s"
    base = [os.environ[k] for k in ("PGHOST", "PGPORT", "PGUSER")]
    plain = at % ("resume", *base)
    with psycopg.connect(at % (os.environ["PGDATABASE"], *base), autocommit=True) as db:
        db.execute("CREATE DATABASE resume")
        db.execute("CREATE DATABASE resume_aes")
    kinds = [("postgresql", plain), ("postgresql+aes", at % ("resume_aes", *base))]
    with resume.saver_of(*kinds[0]) as one, resume.saver_of(*kinds[1]) as two:
        one.setup()
        two.setup()
        return resume.run([resume.Courses(*kinds[0], one), resume.Courses(*kinds[1], two)])


if __name__ == "__main__":
    sys.exit(main())
