# nexus_room(NAME SOURCES file... [LINKS target...]): the static library nexus_NAME.
# LINKS names the rooms and system libraries that it uses, and nothing else is visible to it.
# SPDX-License-Identifier: MIT

function(nexus_room name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
    add_library(nexus_${name} STATIC ${ARG_SOURCES})
    target_link_libraries(nexus_${name} PUBLIC ${ARG_LINKS})
    # Hidden symbols: position independent code then calls and inlines as if it were not.
    set_target_properties(nexus_${name} PROPERTIES C_VISIBILITY_PRESET hidden)
endfunction()
