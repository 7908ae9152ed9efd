-- What the purge looks for. Named outside of Django's scheme, and unknown to its migrations.
--
-- Locks: CONCURRENTLY waits for the transactions under way and keeps nobody from writing. It
-- can't be part of a transaction, and leaves an invalid index behind if it is interrupted, which
-- is dropped and built again by the next run.
CREATE INDEX CONCURRENTLY "simplejwt_outstandingtoken_expires_at" ON "token_blacklist_outstandingtoken" ("expires_at");
