# How test programs are started: HOLDFAST_LAUNCHER before their path, HOLDFAST_TEST_ENVIRONMENT set.
# HOLDFAST_SANITIZED_LAUNCHER is the one of programs that are sanitized whatever the build is.
#
# Address space randomisation can break sanitized programs; not every machine lets it be turned off.
set(HOLDFAST_LAUNCHER "")
set(HOLDFAST_SANITIZED_LAUNCHER "")
execute_process(COMMAND setarch -R true RESULT_VARIABLE refused OUTPUT_QUIET ERROR_QUIET)
if(refused EQUAL 0)
    set(HOLDFAST_SANITIZED_LAUNCHER setarch -R)
endif()
if(NOT HOLDFAST_SANITIZE STREQUAL "none")
    set(HOLDFAST_LAUNCHER ${HOLDFAST_SANITIZED_LAUNCHER})
endif()

# handle_segv=2: cmocka's handler of SIGSEGV would hide AddressSanitizer's.
set(HOLDFAST_TEST_ENVIRONMENT
    ASAN_OPTIONS=handle_segv=2:use_sigaltstack=1:detect_leaks=1
    UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
    TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1)
