# Flags for every target: include path, warnings, hardening, and what the options ask for.
# SPDX-License-Identifier: MIT

include_directories(${CMAKE_SOURCE_DIR}/src)
add_compile_definitions(_GNU_SOURCE NEXUS_VERSION="${PROJECT_VERSION}")

add_compile_options(
    -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla -Wformat=2
    -Wswitch-enum -Wimplicit-fallthrough -Wnull-dereference -Wdouble-promotion
    -Wconversion -Wsign-conversion)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wcast-align=strict -Wduplicated-cond -Wduplicated-branches -Wlogical-op
                        -Wstack-usage=16384)
elseif(CMAKE_C_COMPILER_ID STREQUAL "Clang")
    add_compile_options(-Wcast-align -Wcomma -Wunreachable-code -Wconditional-uninitialized)
endif()
if(WERROR)
    add_compile_options(-Werror)
endif()

if(FUZZ)
    if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
        message(FATAL_ERROR "FUZZ needs clang: configure with -DCMAKE_C_COMPILER=clang")
    endif()
    # Every object is instrumented; the fuzz targets themselves link -fsanitize=fuzzer.
    set(SANITIZE "address,undefined")
    add_compile_options(-fsanitize=fuzzer-no-link)
    add_compile_definitions(NEXUS_FUZZ=1)
endif()

if(SANITIZE)
    if(NOT SANITIZE MATCHES "^(address,undefined|thread)$")
        message(FATAL_ERROR "SANITIZE is '${SANITIZE}'; allowed: 'address,undefined', 'thread'")
    endif()
    add_compile_options(-fsanitize=${SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
                        -O1 -g)
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        add_compile_options(-Wno-stack-usage) # red zones around locals count, and say nothing
    endif()
    add_link_options(-fsanitize=${SANITIZE})
elseif(COVERAGE)
    add_compile_options(--coverage -O0 -g)
    add_link_options(--coverage)
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong
                        -fstack-clash-protection)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|i686")
        add_compile_options(-fcf-protection)
    endif()
    # The program is optimised as a whole: calls between rooms are on the path of every message.
    # Tests and modules link the ordinary code that the same objects hold.
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        add_compile_options(-flto=auto -ffat-lto-objects)
        add_link_options(-fno-lto)
    endif()
    # A -pie link is for programs only; modules that Lua loads are shared objects.
    add_link_options(-Wl,-z,relro,-z,now $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie>)
endif()
