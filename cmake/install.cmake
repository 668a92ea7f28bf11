# Installation: both libraries, the header, the command, and a pkg-config file.
if(NOT TARGET holdfast_static)
    return()
endif()
# From the folder of holdfast.pc up to the prefix, so that an installed tree can be moved.
file(RELATIVE_PATH HOLDFAST_PC_TO_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/holdfast.pc.in holdfast.pc @ONLY)
install(TARGETS holdfast_static holdfast_shared
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/holdfast.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_BINARY_DIR}/holdfast.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(TARGET holdfast)
    install(TARGETS holdfast RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
