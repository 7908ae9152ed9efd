"""User models that log in with what is no text, have numbers for booleans, or inherit by tables."""

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models


class UserManager(BaseUserManager):
    def create_user(self, name, password=None, **fields):
        user = self.model(**{self.model.USERNAME_FIELD: name}, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class Employee(AbstractBaseUser):
    """Logs in with a number."""

    number = models.IntegerField(unique=True)
    is_active = models.SmallIntegerField(default=1)

    objects = UserManager()

    USERNAME_FIELD = "number"


class Device(AbstractBaseUser):
    """Logs in with a UUID."""

    serial = models.UUIDField(unique=True)
    is_active = models.IntegerField(default=1)

    objects = UserManager()

    USERNAME_FIELD = "serial"


class Person(AbstractBaseUser):
    """Logs in with a name; the parent of another model."""

    username = models.CharField(max_length=150, unique=True)
    is_active = models.BooleanField(default=True)

    objects = UserManager()

    USERNAME_FIELD = "username"


class Customer(Person):
    """Inherits by a table of its own."""

    phone = models.CharField(max_length=20)
