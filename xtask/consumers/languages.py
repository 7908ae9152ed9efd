"""Libraries of other languages, as Debian has them."""

import subprocess

import debian
from kinds import Lines
from page import theirs

GO = """\
package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if token, err := check(lines.Text()); err != nil {
			fmt.Printf("out %q\\n", err.Error())
		} else {
			fmt.Println("in", token.Valid)
		}
	}
}
"""
RUBY = """\
require_relative "module"
$stdout.sync = true
puts "ready"
while (token = $stdin.gets)
  begin
    puts "in #{check(token.chomp).inspect}"
  rescue StandardError => error
    puts "out #{error.class} #{error.message.inspect}"
  end
end
"""


class Go(Lines):
    name = "golang-jwt"
    needs = ("system",)
    way = "keys in a file"

    def version(self):
        return debian.version("golang-github-golang-jwt-jwt-v5-dev")

    def start(self, issuer, folder, stack):
        self.stack = stack
        self.place = debian.Folder(stack, self.name)
        self.place.write("module.go", theirs(self.name, "go", issuer))
        self.place.write("main.go", GO)
        gopath = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": "/work/go-build", "CGO_ENABLED": "0"}
        build = debian.inside(["go", "build", "-o", "checks", "module.go", "main.go"], self.place, **gopath)
        subprocess.run(build, check=True, capture_output=True, timeout=600)
        self.rotated(issuer, folder)

    def rotated(self, issuer, folder):
        self.place.write("keys.pem", issuer.public())
        self.ask(self.stack, debian.inside(["./checks"], self.place), self.place.outside)


class Ruby(Lines):
    name = "ruby-jwt"
    needs = ("system",)
    way = "JWKS"

    def version(self):
        return debian.version("ruby-jwt")

    def start(self, issuer, folder, stack):
        place = debian.Folder(stack, self.name)
        place.write("module.rb", theirs(self.name, "ruby", issuer))
        place.write("lines.rb", RUBY)
        self.ask(stack, debian.inside(["ruby", "lines.rb"], place), place.outside)


CONSUMERS = [Go, Ruby]
