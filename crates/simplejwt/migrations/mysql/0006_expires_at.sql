-- What the purge looks for. Named outside of Django's scheme, and unknown to its migrations.
--
-- Locks: none that lasts; the index is built while the table is read and written.
ALTER TABLE `token_blacklist_outstandingtoken` ADD INDEX `simplejwt_outstandingtoken_expires_at` (`expires_at`), ALGORITHM=INPLACE, LOCK=NONE;
