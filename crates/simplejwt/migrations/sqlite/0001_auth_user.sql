-- Django's user table as `manage.py migrate` makes it (django.contrib.auth 0001 to 0012).
--
-- Only this one of the tables of `auth`: groups and permissions are Django's business.
-- For Django to take over a database that was made here, let `migrate` make its own tables
-- and tell it that this one exists: `migrate contenttypes`, then make auth_permission,
-- auth_group and the tables between them with `sqlmigrate auth 0001`, then
-- `migrate auth --fake` and `migrate`.
--
-- Locks: the file's write lock for the time of the statement; makes an empty table.
CREATE TABLE "auth_user" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "password" varchar(128) NOT NULL,
    "last_login" datetime NULL,
    "is_superuser" bool NOT NULL,
    "username" varchar(150) NOT NULL UNIQUE,
    "last_name" varchar(150) NOT NULL,
    "email" varchar(254) NOT NULL,
    "is_staff" bool NOT NULL,
    "is_active" bool NOT NULL,
    "date_joined" datetime NOT NULL,
    "first_name" varchar(150) NOT NULL
);
