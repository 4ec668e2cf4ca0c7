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

--- The same with extensions in openssl's words, such as "extendedKeyUsage=serverAuth".
function certificates.issue_for(name, signer, extensions)
  local path = daemon.folder() .. "/" .. name:gsub(" ", "-") .. ".ext"
  local file = assert(io.open(path, "w"))
  file:write(extensions, "\n")
  file:close()
  return certificates.issue(name, signer, ("-days 2 -extfile '%s'"):format(path))
end

--- The same for a time to come, which `openssl x509` cannot give.
function certificates.issue_later(name, signer)
  local made = certificates.issue(name, signer)
  local base = made.certificate:gsub("%.pem$", "")
  local folder = base .. ".ca"
  run("mkdir -p %s && : >%s/index", folder, folder)
  local file = assert(io.open(folder .. "/config", "w"))
  file:write("[ca]\ndefault_ca=d\n[d]\ndatabase=", folder, "/index\nnew_certs_dir=", folder,
    "\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
  file:close()
  run("openssl ca -batch -notext -config %s/config -in %s.csr -out %s -cert %s -keyfile %s "
    .. "-startdate 20900101000000Z -enddate 20910101000000Z", folder, base, made.certificate,
    signer.certificate, signer.key)
  return made
end

return certificates
