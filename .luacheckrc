std = "lua54"
max_line_length = 100
exclude_files = { "build" }
files["spec/**/*_spec.lua"] = { std = "+busted" }
files["config/*.lua"] = { allow_defined_top = true, max_line_length = false } -- generated
files["lua/types/*.lua"] = { max_line_length = false } -- generated
files["spec/fuzz/seeds.lua"] = { max_line_length = 120 } -- one seed a line
