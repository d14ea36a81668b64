// The CLI asks once for the blocks that describe the session to an agent.
export function register(on) {
  on('prompt.context', ($, event, next) =>
    next({ ...event, blocks: event.blocks.filter((block) => block.name !== 'userEmail') }))
}
