-- What the purge looks for. Named outside of Django's scheme, and unknown to its migrations.
--
-- Locks: the file's write lock while the index is built.
CREATE INDEX "simplejwt_outstandingtoken_expires_at" ON "token_blacklist_outstandingtoken" ("expires_at");
