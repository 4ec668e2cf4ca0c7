-- The command line of nexusd: flags, exit codes, what it prints.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"

local function run(flags, config)
  local program = daemon.spawn { flags = flags, config = config }
  local code = program:wait()
  program:assert_clean()
  return code, program:out(), program:log()
end

local function assert_usage(words, flags)
  local code, out, log = run(flags)
  assert.same({ 2, "", words .. "\n" }, { code, out, log })
end

describe("the command line", function()
  it("says how to use it when there is nothing to serve", function()
    assert_usage("nexusd: nothing to serve: give --config FILE, or --realm NAME --ws ADDRESS; "
      .. "try nexusd --help", "")
  end)

  it("refuses unknown flags and arguments in one line", function()
    assert_usage("nexusd: unknown flag, or an argument too many: --relm; try nexusd --help",
      "--relm realm1")
    assert_usage("nexusd: unknown flag, or an argument too many: -x; try nexusd --help", "-x")
    assert_usage("nexusd: unknown flag, or an argument too many: --help=3; try nexusd --help",
      "--help=3")
    assert_usage("nexusd: an argument is missing: --config; try nexusd --help", "--config")
    assert_usage("nexusd: unknown argument: realm1; try nexusd --help", "--realm a realm1")
  end)

  it("says which half of the short way is missing", function()
    assert_usage("nexusd: missing: --ws ADDRESS (or --unix PATH); try nexusd --help",
      "--realm realm1")
    assert_usage("nexusd: missing: --realm NAME; try nexusd --help", "--ws 127.0.0.1:0")
    assert_usage("nexusd: missing: --tls-key FILE; try nexusd --help",
      "--realm realm1 --ws 127.0.0.1:0 --tls-cert cert.pem")
  end)

  it("does not mix a file with the short way", function()
    assert_usage("nexusd: --config says it all: --realm, --ws, --unix, --policy, --tls-cert and "
      .. "--tls-key go without it; try nexusd --help", "--config x.lua --ws 127.0.0.1:0")
  end)

  it("checks the values of flags", function()
    local short = "--realm realm1 --ws 127.0.0.1:0 "
    assert_usage('nexusd: --workers: found "two"; allowed: an integer from 1 to 64',
      short .. "--workers two")
    assert_usage('nexusd: --workers: found "65"; allowed: an integer from 1 to 64',
      short .. "--workers 65")
    assert_usage('nexusd: --log-level: found "loud"; allowed: "debug", "info", "warn", "error"',
      short .. "--log-level loud")
    assert_usage('nexusd: --log-format: found "xml"; allowed: "text", "json"',
      short .. "--log-format xml")
    assert_usage('nexusd: --policy: found the string "closed"; allowed: '
      .. daemon.ready_policies .. ", or the path of a policy, with a / or .lua in it",
      short .. "--policy closed")
    assert_usage('nexusd: --ws: "8080": the port is missing; allowed: "host:port", '
      .. '"[::1]:port", "tls://host:port" or "unix:/path"', "--realm realm1 --ws 8080")
    assert_usage('nexusd: --realm: "a b" is no realm name: components without spaces or #, '
      .. "separated by dots", "--realm 'a b' --ws 127.0.0.1:0")
  end)

  it("prints its version", function()
    local code, out = run("--version")
    assert.equal(0, code)
    assert.matches("^nexusd %d+%.%d+%.%d+\n$", out)
  end)

  it("lists every flag and exit code in --help", function()
    local code, out = run("--help")
    assert.equal(0, code)
    for _, flag in ipairs { "config", "realm", "ws", "unix", "policy", "tls-cert", "tls-key",
      "workers", "log-level", "log-format", "check-config", "print-config", "sample-config",
      "version", "help" } do
      assert.matches("\n  [-%a, ]*%-%-" .. flag:gsub("%-", "%%-") .. "%f[^%w-]", out)
    end
    for _, number in ipairs { 0, 1, 2, 78, 130 } do
      assert.matches("\n  " .. number .. " +%l", out)
    end
  end)

  it("takes every flag that --help lists", function()
    local _, out = run("--help")
    local count = 0
    local flags = out:match("\nFlags:(.-)\n\n")
    for flag, argument in flags:gmatch("\n  [-%a, ]-(%-%-[%w-]+) ?(%u*)") do
      local _, _, log = run(flag .. (argument ~= "" and " x" or ""))
      assert.not_matches("unknown flag", log)
      assert.not_matches("argument is missing", log)
      count = count + 1
    end
    assert.equal(15, count)
  end)

  it("makes a whole configuration of the short way", function()
    local cert = daemon.certificate()
    local code, out = run(("--realm realm1 --realm com.acme --ws 127.0.0.1:0 --ws '[::1]:0' "
      .. "--unix /tmp/x.sock --tls-cert %s --tls-key %s --workers 2 --log-level warn "
      .. "--log-format json --print-config"):format(cert.cert, cert.key))
    assert.equal(0, code)
    local config = load(out)()
    assert.equal("tls://127.0.0.1:0", config.listen[1].address)
    assert.equal("tls://[::1]:0", config.listen[2].address)
    assert.equal(cert.cert, config.listen[2].tls.cert)
    assert.equal("unix:/tmp/x.sock", config.listen[3].address)
    assert.is_nil(config.listen[3].tls)
    assert.equal("open", config.realms["com.acme"].policy)
    assert.equal("open", config.realms.realm1.policy)
    assert.equal(2, config.workers)
    assert.equal("warn", config.log.level)
    assert.equal("json", config.log.format)
  end)

  it("lets flags win over the file", function()
    local code, out = run("--workers 3 --log-format json --print-config", {
      listen = { "127.0.0.1:0" }, realms = { realm1 = { policy = "open" } },
      workers = 2, log = { level = "error", format = "text" },
    })
    assert.equal(0, code)
    local config = load(out)()
    assert.equal(3, config.workers)
    assert.same({ level = "error", format = "json" }, config.log)
  end)
end)
