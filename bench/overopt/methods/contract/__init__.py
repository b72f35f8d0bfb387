"""What a method supplies: pure functions of log-probabilities and rewards, by family.

A method is a module named after it. Its constants and its ``Config`` are literals, read by the
catalog without importing the file; its functions are pure and see neither models nor gold.

Every family:
    FAMILY: one of ``spec.declare.Family``.
    KNOB: ``spec.declare.knob(...)``, the field of ``Config`` (or, for selection and merge, the free
        parameter of ``weights`` or ``merge``) that moves the method along KL.
    USES_GOLD: ``"none"`` unless the method is allowed to see gold (``spec.declare.GoldUse``).
    READS_PROXY: False where rewards of its samples (rollout, iterative) are not looked at, so that
        the proxy only scores its policies.
    Config: a frozen dataclass of ``spec.declare.param`` fields.

pairs:      loss(config, batch: PairBatch) -> loss_B
rollout:    advantages(config, rollout: Rollout) -> advantage (B, N) or (B, N, T)
            loss(config, step: RolloutStep) -> loss_BN
iterative:  build(config, rollout: Rollout) -> KeptRows or RowPairs      the data of a round
            loss(config, batch: Reading or SamplePairs) -> loss_B
            and, with INPUTS searched_samples (``contract.search``),
            priority(config, children: Children) -> priority_RC
selection:  compose(config, knob) -> Composition     a decoding rule (``contract.composition``), or
            potential(config, grown: Grown, knob) -> log_weight_RN   resampling between tokens, with
            Config.particles and Config.steps        (``contract.particles``), or
            priority(config, children: Children) -> priority_RC      a search in a tree
            preference(config, value_RL, knob) -> log_weight_RL      (``contract.search``), or
            samples_used(config, pool_samples, knob) -> int
            and what it does, in one of two ways (or both; see ``contract.selection``):
            weights(config, pool: ScoredPool, knob) -> policy_BN        the policy itself
            draw_size(config, knob) -> n                                what happens within a draw
            draw_weights(config, draws: ScoredPool, knob) -> chance_Dn
            and, where they are known,
            unbiased_weights(config, pool: ScoredPool, knob) -> weights_BN   over samples
            kl_bound_nats(config, knob) -> float                        analytic upper bound
            and, with USES_GOLD = "selection",
            tune(config, pool: ScoredPool, gold_BN) -> knob             by gold of other prompts
            INPUTS: what it asks for of responses beside their scores (see ``ScoredPool``)
            and, with INPUTS novelty (``contract.novelty``),
            make_predictor(config, shape: PredictorShape) -> Module
            prediction_error(config, predicted_RD, target_RD) -> error_R
merge:      MEMBER_FAMILY: family of the runs whose policies are merged; its functions too
            Config.members: how many they are
            or Config.member: name of a method that trains, whose own run is used
            MERGING: fields of Config that those runs do not read, so that arms share them
            and, where there are such fields: Config.steps, after which each run ends (0: at the
            last KL budget); Config.iterations, of which each but the first starts from what the
            one before has merged, at knob = Config.between
            merge(config, initial, trained, knob) -> Weights, or
            compose(config, knob) -> Composition        at every token (``contract.composition``)
            and, with iterations,
            draw_back(config, initial, merged, knob) -> Weights   of the last, to the task's start

A method that composes or searches may have values of prefixes, learned from the proxy
(``contract.values``):
    value_targets(config, valued: Valued) -> target_RT
    value_loss(config, value_RT, target_RT) -> loss_RT
or, where it composes, Q and V by one loss of both:
    critic_loss(config, critic: Critic) -> loss_RT
    follow(config) -> float                             how fast a copy of the model follows it

A method of the family pairs with INPUTS ``reference_scores``, ``listed`` or ``step_pairs`` has a
field Config.samples: how many samples of the initial policy it is given of each prompt or prefix;
with ``degraded``, a field Config.degrees.

Any family that trains may add, and the engine then supplies what they need:
    INPUTS: names out of ``spec.declare.MethodInput`` of what costs extra to compute.
    training(config) -> Training                        inner epochs, minibatches, module's rate
    make_module(config, shape: StateShape) -> Module    trained beside the policy
    perturb(config, gradient: Weights) -> Weights       both, for a second gradient elsewhere, or
    correct(config, first, second) -> Weights           neither
    first_anchor(config, initial, second) -> Weights    with INPUTS second_initial: the anchor
    mixture(config) -> float                            with INPUTS mixture_samples: share of pi_ref
    begin(config, initial: Weights) -> memory           a memory, and what it serves:
    after_step(config, memory, weights: Weights, step) -> AfterStep
    after_round(config, memory, weights: Weights, number) -> AfterStep   after each rollout's steps
    before_steps(config, memory, weights: Weights, number) -> AfterStep  before them, if iterative
    observe(config, memory, rollout: Rollout) -> memory                  before each rollout's
    OBSERVES_FOR: names of Config; where none of these is on, observe is not called, and the method
        is one without it
    observe_gold(config, memory, gold_BN) -> memory               with USES_GOLD: of the samples
    observe_pairs(config, memory, batch: PairBatch) -> memory            the same of each batch
"""
