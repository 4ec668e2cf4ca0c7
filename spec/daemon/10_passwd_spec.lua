-- nexusd passwd and nexusd keygen: what they print logs in, and they do not let secrets out.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local json = require "json"
local policies = require "policies"
local wamp = require "wamp"

local function run(flags, input)
  local name = os.tmpname()
  local file = assert(io.open(name, "wb"))
  file:write(input or "")
  file:close()
  local command = ("'%s' %s <'%s' 2>'%s.err'; echo $?"):format(os.getenv "NEXUSD", flags, name,
    name)
  local pipe = assert(io.popen(command))
  local out = pipe:read("a")
  pipe:close()
  local errors = assert(io.open(name .. ".err")):read("a")
  os.remove(name)
  os.remove(name .. ".err")
  local text, code = out:match("^(.-)(%d+)\n$")
  return tonumber(code), text, errors
end

local function passwd(flags, input)
  local code, out, errors = run("passwd " .. flags, input)
  assert.same({ 0, "" }, { code, errors })
  return out
end

--- What is printed, as the Lua table that it is an entry of.
local function entry(flags, input)
  return assert(load("return { " .. passwd(flags, input) .. " }", "entry", "t", {}))()
end

local function assert_usage(words, flags, input)
  local code, out, errors = run("passwd " .. flags, input)
  assert.same({ 2, "", "nexusd passwd: " .. words .. "; try nexusd passwd --help\n" },
    { code, out, errors })
end

describe("nexusd passwd", function()
  local alice = "--user alice --stdin --method "

  it("prints an entry of a users file for each method", function()
    local made = entry(alice .. "ticket --role boss", "secret-1\n").alice
    assert.equal("boss", made.role)
    assert.matches("^%$argon2id%$v=19%$m=19456,t=2,p=1%$", made.ticket_hash)
    made = entry(alice .. "ticket --kdf pbkdf2 --iterations 5000", "secret-1").alice
    assert.equal("user", made.role)
    assert.matches("^%$pbkdf2%-sha256%$i=5000%$", made.ticket_hash)
    made = entry(alice .. "wampcra", "secret-1").alice
    assert.same({ 100000, 32, 44 }, { made.wampcra.iterations, made.wampcra.keylen,
      #made.wampcra.secret })
    assert.same({ role = "user", wampcra = { secret = "secret-1" } },
      entry(alice .. "wampcra --plain", "secret-1").alice)
    made = entry(alice .. "scram --memory 1024 --iterations 3", "secret-1").alice.scram
    assert.same({ "argon2id13", 3, 1024, 44, 44, 44, 44 }, { made.kdf, made.iterations,
      made.memory, #made.stored_key, #made.server_key, #made.compat_stored_key,
      #made.compat_server_key })
    made = entry(alice .. "scram --kdf pbkdf2 --iterations 5000", "secret-1").alice.scram
    assert.same({ "pbkdf2", 5000 }, { made.kdf, made.iterations })
    assert.is_nil(made.compat_stored_key)
  end)

  it("prints JSON, and records as policies return them", function()
    local made = json.decode(passwd(alice .. "scram --kdf pbkdf2 --iterations 5000 --format json",
      "x"))
    assert.same({ "user", "pbkdf2" }, { made.alice.role, made.alice.scram.kdf })
    made = json.decode(passwd(alice .. "wampcra --layout record --format json", "x")).alice
    assert.same({ "user", 32, nil }, { made.authrole, made.keylen, made.wampcra })
  end)

  it("writes names that need quotes with quotes", function()
    for _, name in ipairs { "a b", "end", 'x"]\\', "ü", "9" } do
      local made = entry(("--method wampcra --plain --stdin --user '%s'"):format(name), "x")
      assert.equal("x", made[name].wampcra.secret)
    end
  end)

  it("never gives out the same twice, nor the password", function()
    for _, method in ipairs { "ticket", "wampcra", "scram" } do
      local first, second = passwd(alice .. method, "secret-1"), passwd(alice .. method, "secret-1")
      assert.not_equal(first, second)
      assert.is_nil((first .. second):find("secret-1", 1, true))
    end
  end)

  it("makes records with which one logs in", function()
    local function record(method, more)
      return passwd(("--stdin --layout record --method %s --user %s %s"):format(method, method,
        more or ""), "open sesame")
    end
    local nexusd = policies.start(([[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
local known <const> = {
  %s %s %s
}
local function find(hello) return known[hello.authid] end
policy.authenticate.ticket = find
policy.authenticate.wampcra = find
policy.authenticate.scram = find
policy.roles.user = {}
return policy
]]):format(record("ticket", "--kdf pbkdf2 --iterations 5000"), record("wampcra", "--plain"),
      record("scram", "--kdf pbkdf2 --iterations 5000")))
    local client = policies.connect(nexusd)
    policies.login_ticket(client, "ticket", "open sesame")
    client = policies.connect(nexusd)
    policies.try_ticket(client, "ticket", "open barley")
    client:expect_abort("wamp.error.authentication_denied")
    client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "wampcra" }, authid = "wampcra" })
    policies.answer(client, "wampcra", function(extra)
      return policies.sign_cra("open sesame", extra.challenge)
    end)
    policies.expect_welcome(client)
    client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "wamp-scram" }, authid = "scram",
      authextra = { nonce = "AAECAwQFBgcICQoLDA0ODw==" } })
    local extra = client:expect { wamp.CHALLENGE, "wamp-scram", wamp.capture(wamp.including {}) }
    assert.equal(5000, extra.iterations)
    wamp.close_all()
    nexusd:stop()
  end)

  it("takes a public key, and the fingerprint of a certificate", function()
    local key = ("0aF"):rep(21) .. "1"
    assert.same({ alice = { role = "user", pubkeys = { key:lower() } } },
      entry("--method cryptosign --user alice --pubkey " .. key))
    local cert = daemon.certificate().cert
    local made = entry("--method tls --user alice --cert " .. cert).alice.fingerprints[1]
    local pipe = io.popen("openssl x509 -noout -fingerprint -sha256 -in " .. cert)
    local print = pipe:read("a"):match("=(.*)\n"):gsub(":", ""):lower()
    pipe:close()
    assert.equal(print, made)
  end)

  it("says what is wrong", function()
    assert_usage("missing: --method METHOD", "--user alice")
    assert_usage('--method: found "pigeon"; allowed: "ticket", "wampcra", "scram", "cryptosign", '
      .. '"tls"', "--user a --method pigeon")
    assert_usage("missing: --user NAME", "--method ticket --stdin", "x")
    for _, word in ipairs { "secret", "-secret", "--secret" } do
      local _, _, errors = run("passwd --method ticket --user a " .. word .. "=secret-1", "x")
      assert.is_nil(errors:find("secret-1", 1, true))
    end
    assert_usage("an argument too many, which is not repeated here: it may be a password, which is "
      .. "asked for", "--method ticket --user a secret", "x")
    assert_usage("unknown flag: -p", "--method ticket --user a -psecret", "x")
    assert_usage('unknown flag: --pasword', "--method ticket --user a --pasword x", "x")
    assert_usage("--plain has no use for --method ticket", alice .. "ticket --plain", "x")
    assert_usage("--memory is for argon2id", alice .. "scram --kdf pbkdf2 --memory 9", "x")
    assert_usage("--kdf: wampcra has pbkdf2 only", alice .. "wampcra --kdf argon2id", "x")
    assert_usage('--iterations: found "many"; allowed: a whole number',
      alice .. "scram --iterations many", "x")
    assert_usage('--kdf: found "md5"; allowed: "argon2id", "pbkdf2"', alice .. "scram --kdf md5",
      "x")
    assert_usage("missing: --pubkey HEX (nexusd keygen makes a pair)",
      "--method cryptosign --user a")
    assert_usage("--user is there twice", alice .. "ticket --user b", "x")
    for _, try in ipairs {
      { alice .. "ticket", "", "the password is empty" },
      { alice .. "ticket", "\n", "the password is empty" },
      { alice .. "ticket", "a\nb\n", "standard input has more than one line" },
      { alice .. "ticket", ("x"):rep(4097), "the password is longer than 4096 octets" },
      { alice .. "ticket", "\xff\xfe", "the password is not UTF-8" },
      { alice .. "scram --kdf pbkdf2 --iterations 10", "x",
        "iterations is 10; allowed are 4096 to 10000000" },
      { "--method cryptosign --user a --pubkey 12", "", "--pubkey: expected 64 hex digits" },
      { "--method tls --user a --cert /nowhere", "", "/nowhere: No such file or directory" },
      { "--method tls --user a --cert " .. daemon.certificate().key, "",
        daemon.certificate().key .. ": no certificate in PEM" },
    } do
      local code, out, errors = run("passwd " .. try[1], try[2])
      assert.same({ 1, "", "nexusd passwd: " .. try[3] .. "\n" }, { code, out, errors })
    end
  end)

  it("asks at the terminal, twice and without echo", function()
    local script = ("%s/ask.py"):format(daemon.folder())
    local file = assert(io.open(script, "w"))
    file:write([[
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "passwd", "--user", "alice", "--method", "wampcra",
                           "--plain"])
seen = b""
for word in sys.argv[2:]:
    while not seen.endswith(b": "):
        seen += os.read(fd, 1000)
    os.write(fd, word.encode() + b"\n")
    seen += b"|"
try:
    while True:
        seen += os.read(fd, 1000)
except OSError:
    pass
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode())
]])
    file:close()
    local function ask(...)
      local pipe = io.popen(("python3 '%s' '%s' %s"):format(script, os.getenv "NEXUSD",
        table.concat({ ... }, " ")))
      local text = pipe:read("a"):gsub("\r", "")
      pipe:close()
      return text
    end
    assert.equal('0 Password: |\nThe same again: |\nalice = { role = "user", wampcra = { secret = '
      .. '"tell-nobody" } },\n\n', ask("tell-nobody", "tell-nobody"))
    assert.equal("1 Password: |\nThe same again: |\nnexusd passwd: the two passwords differ\n\n",
      ask("tell-nobody", "tell-somebody"))
  end)
end)

describe("nexusd keygen", function()
  it("prints a pair", function()
    local code, out, errors = run("keygen")
    assert.same({ 0, "" }, { code, errors })
    local seed, public = out:match("^private (%x+)\npublic  (%x+)\n$")
    assert.same({ 64, 64 }, { #seed, #public })
    local der = "302e020100300506032b657004220420" .. seed
    local pipe = io.popen(("printf %s | xxd -r -p | openssl pkey -inform DER -pubout -outform DER "
      .. "| tail -c 32 | xxd -p -c 64"):format(der))
    assert.equal(public, pipe:read("l"))
    pipe:close()
  end)

  it("writes a pair into files that nobody else can read, and never over others", function()
    local path = os.tmpname()
    os.remove(path)
    local code, out, errors = run("keygen --out " .. path)
    assert.same({ 0, "" }, { code, errors })
    local pipe = io.popen(("stat -c %%a '%s' '%s.pub'"):format(path, path))
    assert.equal("600\n644\n", pipe:read("a"))
    pipe:close()
    local seed = assert(io.open(path)):read("a")
    assert.matches("^%x+\n$", seed)
    assert.equal("public  " .. assert(io.open(path .. ".pub")):read("a"), out)
    assert.is_nil(out:find(seed:sub(1, 64), 1, true))
    code, out, errors = run("keygen --out " .. path)
    assert.same({ 1, "", "nexusd keygen: " .. path .. ": File exists\n" }, { code, out, errors })
    assert.equal(seed, assert(io.open(path)):read("a"))
    os.remove(path)
    code, out = run("keygen --out " .. path)
    assert.same({ 1, "" }, { code, out })
    assert.is_nil(io.open(path))
    os.remove(path .. ".pub")
  end)

  it("says what is wrong", function()
    for flags, words in pairs {
      ["--out"] = "an argument is missing: --out FILE; try nexusd keygen --help",
      ["--ot x"] = 'unknown flag: --ot (did you mean "--out"?); try nexusd keygen --help',
      ["x"] = "an argument too many: x; try nexusd keygen --help",
      ["--out a --out b"] = "--out is there twice; try nexusd keygen --help",
    } do
      assert.same({ 2, "", "nexusd keygen: " .. words .. "\n" }, { run("keygen " .. flags) })
    end
    assert.same({ 1, "", "nexusd keygen: /nowhere/key: No such file or directory\n" },
      { run "keygen --out /nowhere/key" })
  end)
end)
