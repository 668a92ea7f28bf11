# What holdfast stands on, all from the distribution's packages (tools/setup.sh installs them).
# holdfast_tree: the project root, from which includes are written, and msgpuck, of which the header
# alone is used: its archive is not position-independent.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET GLOBAL libuv)
add_library(uv ALIAS PkgConfig::UV)

# holdfast_find(name header library) makes the imported target <name>.
function(holdfast_find name header)
    find_path(${name}_INCLUDE_DIR ${header} REQUIRED)
    find_library(${name}_LIBRARY ${name} REQUIRED)
    mark_as_advanced(${name}_INCLUDE_DIR ${name}_LIBRARY)
    add_library(${name} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${name} INTERFACE ${${name}_INCLUDE_DIR})
    target_link_libraries(${name} INTERFACE ${${name}_LIBRARY})
endfunction()
holdfast_find(lmdb lmdb.h)
holdfast_find(xxhash xxhash.h)

find_path(MSGPUCK_INCLUDE_DIR msgpuck.h REQUIRED)
mark_as_advanced(MSGPUCK_INCLUDE_DIR)
add_library(holdfast_tree INTERFACE)
target_include_directories(holdfast_tree INTERFACE ${PROJECT_SOURCE_DIR}
                                                   ${PROJECT_SOURCE_DIR}/include)
target_include_directories(holdfast_tree SYSTEM INTERFACE ${MSGPUCK_INCLUDE_DIR})
