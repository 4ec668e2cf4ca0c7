--- Certificates for the specs, made by openssl on the spot.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"

local certificates = {}

local function run(command, ...)
  local log = daemon.folder() .. "/openssl.log"
  local line = command:format(...) .. (" >>%s 2>&1"):format(log)
  assert(os.execute(line), "failed: " .. line)
end

--- Paths of a certificate and its key, signed by `signer`; `dates` is a range for openssl.
function certificates.issue(name, signer, dates)
  local base = daemon.folder() .. "/" .. name:gsub(" ", "-")
  local made = { certificate = base .. ".pem", key = base .. ".key" }
  run("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '/CN=%s' "
    .. "-keyout %s -out %s.csr", name, made.key, base)
  if signer then
    run("openssl x509 -req -in %s.csr -CA %s -CAkey %s -CAcreateserial -out %s %s", base,
      signer.certificate, signer.key, made.certificate, dates or "-days 2")
  else
    run("openssl req -x509 -key %s -subj '/CN=%s' -days 2 -out %s", made.key, name,
      made.certificate)
  end
  return made
end

return certificates
