# Positive controls: a build with one thing broken, to prove that tests see it.
#
# HOLDFAST_BREAK=<name> takes tests/controls/<name>.edit, which holds one edit or more:
#
#     file indexes/fold_session.c
#     <<<<
#     text of that source, which must stand there exactly once
#     ====
#     what stands in its place
#     >>>>
#
# Sources that are edited are copied into the build folder and compiled there; the tree stays as it
# is, and the product knows nothing of it. An edit that does not fit fails the configuration.
set(HOLDFAST_BREAK "" CACHE STRING "Name of a control in tests/controls, or empty: nothing broken")
set(HOLDFAST_EDITED "") # sources that are edited, as paths from the project root

# Takes what stands between two marks out of text: what is before the first is dropped.
function(holdfast_cut text begin end out_part out_rest)
    string(FIND "${text}" "${begin}" begin_at)
    if(begin_at EQUAL -1)
        set(${out_part} "" PARENT_SCOPE)
        set(${out_rest} "" PARENT_SCOPE)
        return()
    endif()
    string(LENGTH "${begin}" size)
    math(EXPR begin_at "${begin_at} + ${size}")
    string(SUBSTRING "${text}" ${begin_at} -1 text)
    string(FIND "${text}" "${end}" end_at)
    if(end_at EQUAL -1)
        message(FATAL_ERROR "control ${HOLDFAST_BREAK}: no ${end} behind ${begin}")
    endif()
    string(SUBSTRING "${text}" 0 ${end_at} part)
    string(SUBSTRING "${text}" ${end_at} -1 rest)
    set(${out_part} "${part}" PARENT_SCOPE)
    set(${out_rest} "${rest}" PARENT_SCOPE)
endfunction()

# Where the edited copy of a source stands.
function(holdfast_edited_path source out_path)
    set(${out_path} "${PROJECT_BINARY_DIR}/edited/${HOLDFAST_BREAK}/${source}" PARENT_SCOPE)
endfunction()

# Replaces from by to in the copy of source, which is made by its first edit.
function(holdfast_edit source from to)
    holdfast_edited_path(${source} copy)
    if(source IN_LIST HOLDFAST_EDITED)
        file(READ "${copy}" text)
    else()
        file(READ "${PROJECT_SOURCE_DIR}/${source}" text)
    endif()
    string(FIND "${text}" "${from}" first)
    string(FIND "${text}" "${from}" last REVERSE)
    if(from STREQUAL "" OR first EQUAL -1 OR NOT first EQUAL last)
        message(FATAL_ERROR "control ${HOLDFAST_BREAK}: ${source} must hold exactly once:\n${from}")
    endif()
    string(REPLACE "${from}" "${to}" text "${text}")
    file(WRITE "${copy}" "${text}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
                 "${PROJECT_SOURCE_DIR}/${source}")
endfunction()

# Makes all edited copies.
function(holdfast_break)
    set(control "${PROJECT_SOURCE_DIR}/tests/controls/${HOLDFAST_BREAK}.edit")
    if(NOT EXISTS "${control}")
        message(FATAL_ERROR "HOLDFAST_BREAK=${HOLDFAST_BREAK}: there is no ${control}")
    endif()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${control}")
    file(READ "${control}" rest)
    set(HOLDFAST_EDITED "")
    while(TRUE)
        holdfast_cut("${rest}" "\nfile " "\n<<<<\n" source rest)
        if(source STREQUAL "")
            break()
        endif()
        holdfast_cut("${rest}" "\n<<<<\n" "\n====\n" from rest)
        holdfast_cut("${rest}" "\n====\n" "\n>>>>\n" to rest)
        holdfast_edit("${source}" "${from}" "${to}")
        list(APPEND HOLDFAST_EDITED "${source}")
    endwhile()
    if(HOLDFAST_EDITED STREQUAL "")
        message(FATAL_ERROR "control ${HOLDFAST_BREAK}: ${control} holds no edit")
    endif()
    set(HOLDFAST_EDITED "${HOLDFAST_EDITED}" PARENT_SCOPE)
endfunction()

# Puts the edited copies in place of their sources in the list that sources_name names.
function(holdfast_take_edited sources_name)
    set(sources ${${sources_name}})
    foreach(source IN LISTS HOLDFAST_EDITED)
        holdfast_edited_path(${source} copy)
        list(TRANSFORM sources REPLACE "^${PROJECT_SOURCE_DIR}/${source}$" "${copy}")
    endforeach()
    set(${sources_name} ${sources} PARENT_SCOPE)
endfunction()

if(HOLDFAST_BREAK)
    holdfast_break()
    add_compile_options(-Wno-error) # what is broken may leave a name unused
endif()
