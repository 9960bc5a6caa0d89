# Whether a Python has torch: a VALIDATOR of find_program.
function(has_torch result python)
  execute_process(COMMAND ${python} -c "import torch" RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
  if(failed)
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()
