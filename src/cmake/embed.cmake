# cmake -DOUT=file.c -DROOT=folder -DFILES="a.lua;b.lua" -P embed.cmake: texts of Lua as a table of C.
# The name of a module is its path below ROOT, with dots.
# SPDX-License-Identifier: MIT
set(text "#include \"testing/embedded.h\"\n\n")
set(rows "")
set(number 0)
foreach(file IN LISTS FILES)
    file(READ "${ROOT}/${file}" hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "\\.lua$" "" name "${file}")
    string(REPLACE "/" "." name "${name}")
    string(APPEND text "static const unsigned char text${number}[] = {${bytes}};\n")
    string(APPEND rows "    {\"${name}\", text${number}, sizeof(text${number})},\n")
    math(EXPR number "${number} + 1")
endforeach()
string(APPEND text "\nconst struct embedded embedded_files[] = {\n${rows}    {0, 0, 0},\n};\n")
file(WRITE "${OUT}" "${text}")
